import { byId, complain } from './elements.js';

const quote = (text) => `'${text.replaceAll("'", `'\\''`)}'`;

const parse = (text) => {
  if (text.trim() === '') return { data: null };
  try {
    return { data: JSON.parse(text) };
  } catch (error) {
    return { problem: `Not JSON: ${error.message}` };
  }
};

/** Says what a backend would say to publish the same. */
const curlLine = ({ room, event, data, namespace }) => {
  const request = { ...(namespace === '/' ? {} : { namespace }), room, event, data };
  return [
    `curl ${location.origin}/v1/publish`,
    `-H "Authorization: Bearer $API_KEY"`,
    `-H 'Content-Type: application/json'`,
    `-d ${quote(JSON.stringify(request))}`,
  ].join(' \\\n  ');
};

/** Where there is no clipboard (plain HTTP to another machine) the old way still works. */
const copy = async (place) => {
  const text = place.textContent;
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    getSelection().selectAllChildren(place);
    return document.execCommand('copy');
  }
};

/** The form that publishes and signals, and the curl line beside it. */
export const createSender = ({ ask, namespace }) => {
  const [form, room, event, data, outcome, curl] = [
    'send-form',
    'send-room',
    'send-event',
    'send-data',
    'send-outcome',
    'curl',
  ].map(byId);
  const copyButton = byId('curl-copy');

  const draw = () => {
    const parsed = parse(data.value);
    complain('data-problem', parsed.problem, data);
    copyButton.disabled = parsed.problem !== undefined;
    outcome.textContent = '';
    if (parsed.problem) return;
    curl.textContent = curlLine({
      room: room.value.trim(),
      event: event.value.trim(),
      data: parsed.data,
      namespace: namespace(),
    });
  };

  const send = async (action) => {
    const parsed = parse(data.value);
    if (parsed.problem) return data.focus();
    const startedAt = performance.now();
    const answer = await ask(action, {
      room: room.value.trim(),
      event: event.value.trim(),
      data: parsed.data,
    });
    const took = Math.max(1, Math.round(performance.now() - startedAt));
    const done = action === 'room:publish' ? 'Published' : 'Signalled';
    outcome.dataset.ok = String(answer.ok);
    outcome.textContent = answer.ok
      ? `${done}, acknowledged in ${took} ms`
      : `${answer.error.code}: ${answer.error.message}`;
  };

  form.addEventListener('input', draw);
  form.addEventListener('submit', (submitted) => {
    submitted.preventDefault();
    send(submitted.submitter?.value ?? 'room:publish');
  });
  form.addEventListener('keydown', (key) => {
    if (key.key === 'Enter' && (key.ctrlKey || key.metaKey)) form.requestSubmit();
  });
  copyButton.addEventListener('click', async () => {
    copyButton.textContent = (await copy(curl)) ? 'Copied' : 'Press Ctrl C';
    setTimeout(() => {
      copyButton.textContent = 'Copy';
    }, 2000);
  });
  draw();
  return { draw };
};
