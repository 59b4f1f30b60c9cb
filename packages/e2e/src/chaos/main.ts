import { parseArgs } from 'node:util';
import { type Load, runScenario } from './run.ts';
import { SCENARIOS } from './scenarios/index.ts';
import type { Verdict } from './verdict.ts';

const FULL: Load = { clients: 1000, rooms: 200, roomsPerClient: 2, eventsPerSecond: 500, payloadBytes: 64 };

const { values, positionals } = parseArgs({
  options: {
    seed: { type: 'string', default: String(Date.now() % 1_000_000) },
    clients: { type: 'string' },
    rooms: { type: 'string' },
    rate: { type: 'string' },
  },
  allowPositionals: true,
});
const seed = Number(values.seed);
const load: Load = {
  ...FULL,
  ...(values.clients !== undefined && { clients: Number(values.clients) }),
  ...(values.rooms !== undefined && { rooms: Number(values.rooms) }),
  ...(values.rate !== undefined && { eventsPerSecond: Number(values.rate) }),
};
const chosen = SCENARIOS.filter(
  ({ name }) => positionals.length === 0 || positionals.some((word) => name.includes(word)),
);
if (chosen.length === 0) throw new Error(`There is no scenario called ${positionals.join(' or ')}`);
/** `reason`: the scenario could not be carried out to its end. */
const verdicts: (Verdict | { scenario: string; ok: false; seed: number; reason: string })[] = [];
for (const scenario of chosen) {
  process.stderr.write(`${scenario.name} … `);
  try {
    const verdict = await runScenario(scenario, { seed, load });
    verdicts.push(verdict);
    process.stderr.write(`${verdict.ok ? 'ok' : 'NOT OK'}, ${Math.round(verdict.tookMs / 1000)} s\n`);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    verdicts.push({ scenario: scenario.name, ok: false, seed, reason });
    process.stderr.write(`NOT OK: ${reason}\n`);
  }
}
const ok = verdicts.every((verdict) => verdict.ok);
process.stdout.write(`${JSON.stringify({ ok, seed, verdicts })}\n`);
process.exitCode = ok ? 0 : 1;
