import { byId, element, paintRoom } from './elements.js';

const KEPT = 500;
const PREVIEW_LENGTH = 400;
const ANNOUNCE_MS = 3000;

const clock = new Intl.DateTimeFormat(undefined, {
  hour: '2-digit',
  minute: '2-digit',
  second: '2-digit',
  fractionalSecondDigits: 3,
  hour12: false,
});

const binary = (_key, value) => (value instanceof ArrayBuffer ? `<${value.byteLength} bytes>` : value);

/** As JSON, with binary data as its size; a value that JSON does not know stands as a word. */
const print = (value, indent) => JSON.stringify(value, binary, indent) ?? String(value);

const isMeta = (value) =>
  typeof value === 'object' &&
  value !== null &&
  typeof value.room === 'string' &&
  typeof value.at === 'number';

/** An event as the page shows it. A team's own events have no meta: then all their arguments are the data. */
const describe = (event, args, heardAt) => {
  const last = args[args.length - 1];
  const meta = args.length === 2 && isMeta(last) ? last : undefined;
  const given = meta ? args.slice(0, -1) : args;
  const data = given.length > 1 ? given : given[0];
  return {
    event,
    data,
    meta,
    time: clock.format(heardAt),
    room: meta?.room ?? '',
    from: meta ? (meta.from ?? 'backend') : '',
    latency: meta ? `${heardAt - meta.at} ms` : '',
    preview: print(data).slice(0, PREVIEW_LENGTH),
  };
};

const cell = (name, text, label) => {
  const made = element('span', `cell ${name}`, text === '' ? '–' : text);
  if (label) made.title = label;
  return made;
};

/** The whole of it is written only when somebody opens the row. */
const body = ({ data, meta }) => {
  const parts = [element('pre', 'mono whole', print(data, 2))];
  if (meta) parts.push(element('pre', 'mono whole soft', `meta ${print(meta, 2)}`));
  return parts;
};

const row = (message) => {
  const { time, room, event, preview, from, latency, meta } = message;
  const origin = element('span', meta && !meta.from ? 'cell from backend' : 'cell from', from || '–');
  const summary = element('summary', 'line', [
    cell('time', time),
    cell('room', room, room),
    cell('event', event, event),
    cell('data', preview),
    origin,
    cell('latency', latency, 'When this page heard it, less when the cluster took it: the clocks may differ'),
  ]);
  const details = element('details', '', [summary]);
  details.addEventListener('toggle', () => details.open && details.append(...body(message)), { once: true });
  const item = element('li', 'message', [details]);
  if (room !== '') paintRoom(item, room);
  return item;
};

/** A reader of the screen hears how many came, not each of a thousand. */
const createAnnouncer = () => {
  let fresh = 0;
  setInterval(() => {
    if (fresh > 0) byId('heard').textContent = `${fresh} new messages`;
    fresh = 0;
  }, ANNOUNCE_MS);
  return () => {
    fresh += 1;
  };
};

/** The list of what arrived, newest first; the last 500 stay. */
export const createFeed = () => {
  const [list, count, empty, filter] = ['list', 'count', 'empty', 'filter'].map(byId);
  const pause = byId('pause');
  const announce = createAnnouncer();
  /** Arrived and not drawn: for the next frame, or until the pause ends. */
  let waiting = [];
  let shown = [];
  let total = 0;
  let isPaused = false;
  let frame = 0;

  const matches = (message) => message.text.includes(filter.value.trim().toLowerCase());

  const sum = () => {
    const visible = shown.filter(({ item }) => !item.hidden).length;
    count.textContent = filter.value.trim() === '' ? String(total) : `${visible} of ${shown.length}`;
    pause.textContent = isPaused ? `Resume${waiting.length > 0 ? ` (${waiting.length})` : ''}` : 'Pause';
    empty.hidden = visible > 0;
    byId('empty-title').textContent =
      shown.length > 0 ? 'Nothing here matches the filter' : 'Nothing has arrived yet';
    byId('empty-hint').hidden = shown.length > 0;
  };

  const draw = () => {
    frame = 0;
    const fresh = waiting.map((message) => {
      const item = row(message);
      const text = `${message.room} ${message.event} ${message.from} ${message.preview}`.toLowerCase();
      item.hidden = !matches({ text });
      return { item, text };
    });
    waiting = [];
    list.prepend(...fresh.map(({ item }) => item).reverse());
    shown = [...fresh.reverse(), ...shown];
    for (const { item } of shown.splice(KEPT)) item.remove();
    sum();
  };

  const hear = (event, ...args) => {
    total += 1;
    announce();
    waiting.push(describe(event, args, Date.now()));
    if (waiting.length > KEPT) waiting.shift();
    if (isPaused) sum();
    else if (frame === 0) frame = requestAnimationFrame(draw);
  };

  filter.addEventListener('input', () => {
    for (const message of shown) message.item.hidden = !matches(message);
    sum();
  });
  pause.addEventListener('click', () => {
    isPaused = !isPaused;
    pause.setAttribute('aria-pressed', String(isPaused));
    if (isPaused) sum();
    else draw();
  });
  byId('clear').addEventListener('click', () => {
    [waiting, shown, total] = [[], [], 0];
    list.replaceChildren();
    sum();
  });
  return { hear };
};
