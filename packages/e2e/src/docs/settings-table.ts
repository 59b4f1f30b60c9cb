import { z } from 'zod';
import { code, table } from './markdown.ts';

/** A setting as a row: the default as it is written in the environment. */
const row = (name: string, field: z.ZodType): string[] => {
  const { description = '', secret } = field.meta() ?? {};
  const fallback = field instanceof z.ZodDefault ? String(field.def.defaultValue) : '';
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
