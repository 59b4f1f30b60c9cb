import * as protocol from '@fanfare/protocol';
import { z } from 'zod';
import { code, table } from './markdown.ts';

/** The part of JSON Schema that zod writes for our schemas. */
interface Schema {
  type?: string;
  description?: string;
  default?: unknown;
  properties?: Record<string, Schema>;
  required?: string[];
  anyOf?: Schema[];
  items?: Schema;
  minimum?: number;
  maximum?: number;
  minItems?: number;
  maxItems?: number;
}

const jsonSchemaOf = (schema: z.ZodType, io: 'input' | 'output'): Schema => {
  // Its own type allows far more than zod ever writes. A schema with an id becomes a reference to itself.
  const written = z.toJSONSchema(schema, { io }) as Schema & { $defs?: Record<string, Schema> };
  const { id } = schema.meta() ?? {};
  return (id === undefined ? undefined : written.$defs?.[id]) ?? written;
};

/** Bounds that a reader has to know; zod writes the limits of a safe integer too. */
const boundsOf = ({ minimum, maximum, minItems, maxItems }: Schema): string => {
  const low = minItems ?? minimum ?? 0;
  const high = maxItems ?? maximum ?? Number.MAX_SAFE_INTEGER;
  return high === Number.MAX_SAFE_INTEGER ? '' : ` (${low} to ${high})`;
};

/** A schema in one line, where what has no type is a string: `{room, replay?: integer (1 to 500)}`. */
const lineOf = (schema: Schema): string => {
  if (schema.anyOf) return schema.anyOf.map(lineOf).join(' or ');
  if (schema.items) {
    const item = lineOf(schema.items);
    return `${item.includes(' or ') ? `(${item})` : item}[]${boundsOf(schema)}`;
  }
  if (schema.properties) return `{${Object.entries(schema.properties).map(fieldOf(schema)).join(', ')}}`;
  return `${schema.type ?? 'any'}${schema.type === 'integer' ? boundsOf(schema) : ''}`;
};

const fieldOf =
  ({ required }: Schema) =>
  ([name, field]: [string, Schema]): string => {
    // The fields of `meta` have a table of their own.
    if (name === 'meta') return name;
    const line = lineOf(field);
    return `${name}${required?.includes(name) ? '' : '?'}${line === 'string' ? '' : `: ${line}`}`;
  };

const exported: readonly unknown[] = Object.values(protocol);

const isEvent = (value: unknown): value is protocol.EventDefinition<z.ZodType, z.ZodType> =>
  typeof value === 'object' && value !== null && 'name' in value && 'payload' in value && 'ack' in value;

const formsOf = (schema: z.ZodType, io: 'input' | 'output'): string => {
  const described = jsonSchemaOf(schema, io);
  return (described.anyOf ?? [described]).map((form) => code(lineOf(form))).join(' or ');
};

/** What a client may ask a gateway, from the definitions that the gateway validates with. */
export const eventsTable = (): string =>
  table(
    ['Event', 'Payload', 'Data of the ack'],
    exported
      .filter(isEvent)
      .sort((a, b) => a.name.localeCompare(b.name))
      .map(({ name, payload, ack }) => [code(name), formsOf(payload, 'input'), formsOf(ack, 'output')]),
  );

/** The body of `POST /v1/publish`, from the schema that the api validates with. */
export const publishTable = (): string => {
  const { properties = {}, required = [] } = jsonSchemaOf(protocol.publishRequest, 'input');
  return table(
    ['Field', 'Type', 'What it is'],
    Object.entries(properties).map(([name, field]) => [
      code(required.includes(name) ? name : `${name}?`),
      code(lineOf(field)),
      `${field.description ?? ''}${field.default === undefined ? '' : `; default ${code(String(field.default))}`}`,
    ]),
  );
};
