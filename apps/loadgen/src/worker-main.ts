// Entry of a load worker process: takes orders over IPC, ends with its parent.
import type { Request, Response } from './workers/calls.ts';
import { LoadService } from './workers/service.ts';

const service = new LoadService();

const run = (request: Request): Promise<unknown> => {
  switch (request.name) {
    case 'connect':
      return service.calls.connect(request.order);
    case 'publish':
      return service.calls.publish(request.order);
    case 'collect':
      return service.calls.collect(request.order);
    case 'progress':
      return service.calls.progress(request.order);
    case 'close':
      return service.calls.close(request.order);
  }
};

process.on('message', async (request: Request) => {
  const answer = (response: Response) => process.send?.(response);
  try {
    answer({ id: request.id, result: await run(request) });
  } catch (error) {
    answer({ id: request.id, error: error instanceof Error ? error.message : String(error) });
  }
});
process.on('disconnect', () => process.exit(0));
