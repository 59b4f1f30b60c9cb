// Writes the users of a load test as CSV to stdout: user,token.
//   node make-tokens.mjs --secret SECRET --count 1000 > tokens.csv    a token for each user
//   node make-tokens.mjs --token TOKEN --count 1000 > tokens.csv      one token for all: what `npm start` prints
import { createHmac } from 'node:crypto';
import { parseArgs } from 'node:util';

const { values } = parseArgs({
  options: {
    secret: { type: 'string' },
    token: { type: 'string' },
    count: { type: 'string', default: '1000' },
    hours: { type: 'string', default: '24' },
    namespaces: { type: 'string', default: '/' },
  },
});
const count = Number(values.count);
const hours = Number(values.hours);
if ((values.secret === undefined) === (values.token === undefined))
  throw new Error('give either --secret or --token');
if (!Number.isInteger(count) || count < 1)
  throw new Error(`--count ${values.count}: expected a positive whole number`);
if (!(hours > 0)) throw new Error(`--hours ${values.hours}: expected a positive number`);

const part = (value) => Buffer.from(JSON.stringify(value)).toString('base64url');
const sign = (secret, claims) => {
  const body = `${part({ alg: 'HS256', typ: 'JWT' })}.${part(claims)}`;
  return `${body}.${createHmac('sha256', secret).update(body).digest('base64url')}`;
};

const now = Math.floor(Date.now() / 1000);
const claims = {
  iat: now,
  exp: now + Math.round(hours * 3600),
  namespaces: values.namespaces.split(','),
  rooms: { 'load:*': ['join', 'publish'], 'smoke:*': ['join', 'publish'] },
};
const lines = ['user,token'];
for (let n = 1; n <= count; n++) {
  const user = `load-${n}`;
  lines.push(`${user},${values.token ?? sign(values.secret, { sub: user, ...claims })}`);
}
process.stdout.write(`${lines.join('\n')}\n`);
