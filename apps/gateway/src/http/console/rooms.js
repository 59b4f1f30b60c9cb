import { byId, complain, element, paintRoom } from './elements.js';

/** Most rooms in one `room:join`. */
const ROOMS_PER_REQUEST = 50;

/** A room with a button that fills it into the form, and one that leaves it. */
const chip = (room, leave) => {
  const choose = element('button', 'room mono', room);
  choose.type = 'button';
  choose.title = `Send to ${room}`;
  choose.addEventListener('click', () => {
    byId('send-room').value = room;
    byId('send-room').dispatchEvent(new Event('input', { bubbles: true }));
  });
  const drop = element('button', 'leave', '×');
  drop.type = 'button';
  drop.setAttribute('aria-label', `Leave ${room}`);
  drop.addEventListener('click', () => leave(room));
  const item = element('li', 'chip', [choose, drop]);
  paintRoom(item, room);
  return item;
};

/** The rooms this page is in: joined, left, and joined again after every reconnect. */
export const createRooms = ({ ask }) => {
  const [input, list, hint, names] = ['join-room', 'room-list', 'room-hint', 'joined-rooms'].map(byId);
  const joined = new Set();

  const draw = () => {
    list.replaceChildren(...[...joined].map((room) => chip(room, leave)));
    names.replaceChildren(...[...joined].map((room) => Object.assign(new Option(), { value: room })));
    hint.hidden = joined.size > 0;
  };

  const leave = async (room) => {
    const answer = await ask('room:leave', { room });
    if (!answer.ok) return complain('join-problem', `${room}: ${answer.error.message}`);
    joined.delete(room);
    draw();
    input.focus();
  };

  const join = async (room) => {
    const answer = await ask('room:join', { room });
    if (!answer.ok) return complain('join-problem', `${answer.error.code}: ${answer.error.message}`, input);
    complain('join-problem', '', input);
    joined.add(room);
    draw();
    input.value = '';
  };

  byId('join-form').addEventListener('submit', (event) => {
    event.preventDefault();
    join(input.value.trim());
  });

  /** A new connection is in no room: the gateway forgot, the page did not. */
  const rejoin = async () => {
    const rooms = [...joined];
    for (let at = 0; at < rooms.length; at += ROOMS_PER_REQUEST) {
      const part = rooms.slice(at, at + ROOMS_PER_REQUEST).map((room) => ({ room }));
      const answer = await ask('room:join', { rooms: part });
      const refused = answer.ok ? answer.data.rooms.filter(({ error }) => error) : [];
      for (const { room, error } of refused) {
        joined.delete(room);
        complain('join-problem', `${room}: ${error.message}`);
      }
    }
    draw();
  };

  const forget = () => {
    joined.clear();
    draw();
  };

  return { rejoin, forget };
};
