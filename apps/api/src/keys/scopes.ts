import { matchesPattern, roomPattern } from '@fanfare/protocol';

/** What a route needs of a key: to publish, to read what is there, or to change what others see. */
export const SCOPE_ACTIONS = ['publish', 'read', 'control'] as const;
export type ScopeAction = (typeof SCOPE_ACTIONS)[number];

/** One thing that a key may do; without a pattern in every room, and where no room is concerned. */
export interface Scope {
  action: ScopeAction;
  rooms: string | undefined;
}

/** Reads `publish` or `publish:project:*`; undefined for anything else. */
export const parseScope = (text: string): Scope | undefined => {
  const colon = text.indexOf(':');
  const name = colon < 0 ? text : text.slice(0, colon);
  const rooms = colon < 0 ? undefined : text.slice(colon + 1);
  const action = SCOPE_ACTIONS.find((known) => known === name);
  if (action === undefined) return undefined;
  return rooms === undefined || roomPattern.safeParse(rooms).success ? { action, rooms } : undefined;
};

/** Whether scopes cover an action, in a room where one is concerned. A key without any scope may do everything. */
export const covers = (scopes: readonly Scope[], action: ScopeAction, room?: string): boolean =>
  scopes.length === 0 ||
  scopes.some(
    (scope) =>
      scope.action === action &&
      (scope.rooms === undefined || (room !== undefined && matchesPattern(scope.rooms, room))),
  );
