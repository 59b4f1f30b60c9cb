import { z } from 'zod';
import { code, table } from './markdown.ts';

/** As it is written in the environment; what is not written as it is kept stands in the description. */
const written = (value: unknown): string => {
  const parts: unknown[] = Array.isArray(value) ? value : [value];
  return parts.some((part) => typeof part === 'object') ? '' : parts.join(',');
};

/** A setting as a row. */
const row = (name: string, field: z.ZodType): string[] => {
  const { description = '', secret } = field.meta() ?? {};
  const fallback = field instanceof z.ZodDefault ? written(field.def.defaultValue) : '';
  const isRequired = !(field instanceof z.ZodDefault || field instanceof z.ZodOptional);
  return [
    `${code(name)}${secret === true ? `, or ${code(`${name}_FILE`)}` : ''}`,
    isRequired ? 'required' : code(fallback),
    description,
  ];
};

/** The settings of a process, in the order of their schema. */
export const settingsTable = (schema: z.ZodObject): string =>
  table(
    ['Setting', 'Default', 'What it does'],
    Object.entries(schema.shape).map(([name, field]) => {
      if (!(field instanceof z.ZodType)) throw new TypeError(`${name} is not a zod schema`);
      return row(name, field);
    }),
  );
