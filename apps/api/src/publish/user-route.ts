import { publishResponse, userPublishRequest } from '@fanfare/protocol';
import { userPath } from '../http/parameters.ts';
import { defineRoute, type Route } from '../http/route.ts';
import { answerOf, type PublishDeps, toPublication } from './commands.ts';

const MAX_BYTES = 256 * 1024;

/** `POST /v1/users/{user}/publish`: into the `inbox:me` of a user. */
export const userPublishRoute = ({ publisher, namespaces, events }: PublishDeps): Route =>
  defineRoute({
    method: 'post',
    path: '/v1/users/{user}/publish',
    operation: 'publishToUser',
    tag: 'Publishing',
    summary: "Publish an event to a user's inbox",
    description:
      'The inbox is a room with a log that only this user can join, as `inbox:me`: all of their sockets hear it, and ' +
      'who is away gets it when they are back, within retention. Nobody but a backend can publish to it. Otherwise ' +
      'it is a publish to a room: the same meaning of 200, 503 and `id`. A publish request with `user` in place of ' +
      '`room` does the same, in a batch too.',
    access: 'publish',
    permitsInBody: true,
    params: userPath,
    body: {
      schema: userPublishRequest,
      maxBytes: MAX_BYTES,
      examples: {
        notification: {
          summary: 'A notification',
          value: { event: 'task:assigned', data: { id: 7, by: 'bob' }, id: 'task-7-assigned-alice' },
        },
      },
    },
    answer: {
      schema: publishResponse,
      description: "The event is in the inbox's log.",
      example: { results: [{ room: 'inbox:me', epoch: '9f86d081884c7d65', offset: 3, duplicate: false }] },
    },
    errors: ['invalid_payload', 'not_found', 'unavailable'],
    observe: events.published,
    handle: async ({ params: { user }, body, caller }) =>
      answerOf(await publisher.publish(toPublication({ ...body, user }, caller, namespaces))),
  });
