import type { DirectMeta, EventMeta } from '@fanfare/protocol';
import { expect, expectTypeOf, it } from 'vitest';
import { createClient } from './index.ts';

interface Task {
  id: number;
}

// The compiler is the judge here: `tsc -b` fails where one of these does not hold.
it('an app that names its events gets them typed, and no other name', () => {
  const client = createClient<{ 'task:created': Task; 'task:deleted': number }>({
    token: 'x',
    autoConnect: false,
  });
  client.join('project:1', {
    'task:created': (task, meta) => {
      expectTypeOf(task).toEqualTypeOf<Task>();
      expectTypeOf(meta).toEqualTypeOf<EventMeta>();
    },
  });
  client.join('project:1', (event) => {
    if (event.event === 'task:deleted') expectTypeOf(event.data).toBeNumber();
    else expectTypeOf(event.data).toEqualTypeOf<Task>();
  });
  expectTypeOf(client.publish).toBeCallableWith('project:1', 'task:created', { id: 1 });
  expectTypeOf(client.publish<'task:deleted'>)
    .parameter(2)
    .toBeNumber();
  expectTypeOf(client.publish).parameter(1).toEqualTypeOf<'task:created' | 'task:deleted'>();
  client.onDirect({ 'task:deleted': (_id, meta) => expectTypeOf(meta).toEqualTypeOf<DirectMeta>() });
  expectTypeOf(client.send).toBeCallableWith('bob', 'task:deleted', 1);
  expectTypeOf(client.publish<'task:created'>).returns.resolves.toEqualTypeOf<{
    epoch: string;
    offset: number | null;
    duplicate: boolean;
  }>();
});

it('an app that names none may use any name, with data that it has to look at', () => {
  const client = createClient({ token: 'x', autoConnect: false });
  client.join('project:1', { anything: (data) => expectTypeOf(data).toBeUnknown() });
  expectTypeOf(client.publish).toBeCallableWith('project:1', 'anything', [1]);
});

it('a name that is no room is found out at once', () => {
  const client = createClient({ token: 'x', autoConnect: false });
  expect(() => client.join('lobby', {})).toThrow('"lobby" is not a room name');
});
