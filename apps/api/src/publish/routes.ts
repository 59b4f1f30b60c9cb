import type { Publication } from '@fanfare/cluster';
import {
  AppError,
  batchRequest,
  batchResponse,
  LIMITS,
  publishRequest,
  publishResponse,
} from '@fanfare/protocol';
import { z } from 'zod';
import { defineRoute, type Route } from '../http/route.ts';
import {
  answerOf,
  batchAnswerOf,
  countDropped,
  outcomeOf,
  type PublishDeps,
  readCommand,
  type Settled,
  toPublication,
} from './commands.ts';
import { userPublishRoute } from './user-route.ts';

/** 64 KB of data in the longest way to write them (`\u00e9` for each letter), with the longest names around it. */
const MAX_PUBLISH_BYTES = 256 * 1024;
const MAX_BATCH_BYTES = 1024 * 1024;

/** Commands are looked at one by one, so that a bad one does not take the others with it. */
const commandList = z.strictObject({ commands: z.array(z.unknown()).min(1).max(LIMITS.batchCommands) });

const EVENT = { event: 'task:created', data: { id: 7, title: 'Write the report' } };

/** `POST /v1/publish`, `POST /v1/batch` and `POST /v1/users/{user}/publish`. */
export const publishRoutes = (deps: PublishDeps): Route[] => [
  publishRoute(deps),
  batchRoute(deps),
  userPublishRoute(deps),
];

const publishRoute = ({ publisher, namespaces, events }: PublishDeps): Route =>
  defineRoute({
    method: 'post',
    path: '/v1/publish',
    operation: 'publish',
    tag: 'Publishing',
    summary: 'Publish an event to a room, or to several',
    description:
      'Every member of the room hears it, on whichever node it is: `socket.on(event, (data, meta) => …)`. ' +
      'Give `room` or `rooms`; a socket that is in several of them hears the event once. `user` is for the inbox of ' +
      'that user instead. ' +
      'A 200 means that the event is in the log of every room: members that are away get it when they are back, ' +
      'within retention. 503 means that this is not known for the rooms in `results` that have an error; give the ' +
      'event an `id`, and a retry with the same `id` completes it and doubles nothing for 10 minutes. ' +
      '`except` names users who never hear it. With `ephemeral: true` nothing is logged, who is away never hears ' +
      'of it, `except` may name rooms too, and a retry may double it; on a machine without Redis every event is ' +
      'ephemeral.',
    access: 'publish',
    permitsInBody: true,
    body: {
      schema: publishRequest,
      maxBytes: MAX_PUBLISH_BYTES,
      examples: {
        room: { summary: 'To one room', value: { room: 'project:42', ...EVENT, id: 'task-7-created' } },
        rooms: {
          summary: 'To several rooms, but not to one user',
          value: { rooms: ['project:42', 'team:design'], except: ['alice'], ...EVENT },
        },
        ephemeral: {
          summary: 'Not logged, and not to the members of another room',
          value: { room: 'project:42', except: ['muted:project-42'], ...EVENT, ephemeral: true },
        },
      },
    },
    answer: {
      schema: publishResponse,
      description: 'The cluster has taken the event; one result per room.',
      example: { results: [{ room: 'project:42', epoch: '9f86d081884c7d65', offset: 17, duplicate: false }] },
    },
    errors: ['invalid_payload', 'not_found', 'unavailable'],
    observe: events.published,
    handle: async ({ body, caller }) => {
      const publication = toPublication(body, caller, namespaces);
      const results = await publisher.publish(publication);
      countDropped(results, publication, events);
      return answerOf(results);
    },
  });

const batchRoute = ({ publisher, namespaces, events }: PublishDeps): Route =>
  defineRoute({
    method: 'post',
    path: '/v1/batch',
    operation: 'batch',
    tag: 'Publishing',
    summary: 'Publish many events at once',
    description:
      'Up to 1,000 publish requests, carried out in order, with a result for each. What one room takes it takes in ' +
      'the order of the commands. A 200 means that all of them succeeded. Otherwise the problem document has ' +
      '`results` with what became of each: `{results: […]}` as a publish answers, or `{error}` when the command was ' +
      'refused as a whole; the others have been carried out all the same. A retry of the whole batch doubles no ' +
      'logged event that has an `id`.',
    access: 'publish',
    permitsInBody: true,
    body: {
      schema: commandList,
      documented: batchRequest,
      checksEach: 'commands',
      maxBytes: MAX_BATCH_BYTES,
      examples: {
        two: {
          summary: 'Two events, in order',
          value: {
            commands: [
              { room: 'project:42', ...EVENT, id: 'task-7-created' },
              {
                room: 'project:42',
                event: 'task:assigned',
                data: { id: 7, to: 'alice' },
                id: 'task-7-assigned',
              },
            ],
          },
        },
      },
    },
    answer: {
      schema: batchResponse,
      description: 'Every command succeeded in all of its rooms; one result per command.',
      example: {
        results: [17, 18].map((offset) => ({
          results: [{ room: 'project:42', epoch: '9f86d081884c7d65', offset, duplicate: false }],
        })),
      },
    },
    unitsOf: (body) => commandList.safeParse(body).data?.commands.length ?? 1,
    errors: ['invalid_payload', 'not_found', 'unavailable'],
    observe: events.batchAnswered,
    handle: async ({ body, caller }) => {
      const commands = body.commands.map((command) => readCommand(command, caller, namespaces));
      const publications = commands.filter(
        (command): command is Publication => !(command instanceof AppError),
      );
      const published = await publisher.publishMany(publications);
      for (const [i, publication] of publications.entries()) {
        countDropped(published[i] ?? [], publication, events);
      }
      const answers = published.values();
      const settled = commands.map(
        (command): Settled =>
          command instanceof AppError ? { error: command } : { results: answers.next().value ?? [] },
      );
      events.commandsSettled(settled.map(outcomeOf));
      return batchAnswerOf(settled);
    },
  });
