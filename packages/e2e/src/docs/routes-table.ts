import { z } from 'zod';
import { apiText } from './api-text.ts';
import { code, table } from './markdown.ts';

const operation = z.object({
  summary: z.string(),
  parameters: z.array(z.object({ name: z.string(), in: z.string() })).default([]),
});
const openApi = z.object({ paths: z.record(z.string(), z.record(z.string(), operation)) });

/** Every route of the api below /v1, from the document that a real process serves. */
export async function routesTable(): Promise<string> {
  const { paths } = openApi.parse(JSON.parse(await apiText('http', '/v1/openapi.json')));
  return table(
    ['Route', 'Query', 'What it does'],
    Object.entries(paths)
      .filter(([path]) => path.startsWith('/v1/'))
      .flatMap(([path, methods]) =>
        Object.entries(methods).map(([method, { summary, parameters }]) => {
          const query = parameters.filter((parameter) => parameter.in === 'query');
          return [
            code(`${method.toUpperCase()} ${path}`),
            query.map(({ name }) => code(name)).join(', '),
            summary,
          ];
        }),
      ),
  );
}
