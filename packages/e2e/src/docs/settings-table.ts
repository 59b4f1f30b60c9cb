import { type SettingRow, settingRows } from '@fanfare/runtime';
import { z } from 'zod';
import { code, table } from './markdown.ts';

/** As it is written in the environment; what is not written as it is kept stands in the description. */
const written = (value: unknown): string => {
  const parts: unknown[] = Array.isArray(value) ? value : [value];
  return parts.some((part) => typeof part === 'object') ? '' : parts.join(',');
};

/** A setting as a row. */
const row = ({ name, description, secret }: SettingRow, field: z.ZodType): string[] => {
  const fallback = field instanceof z.ZodDefault ? written(field.def.defaultValue) : '';
  const isRequired = !field.safeParse(undefined).success;
  return [
    `${code(name)}${secret ? `, or ${code(`${name}_FILE`)}` : ''}`,
    isRequired ? 'required' : code(fallback),
    description,
  ];
};

/** The settings of a process, in the order of their schema. */
export const settingsTable = (schema: z.ZodObject): string =>
  table(
    ['Setting', 'Default', 'What it does'],
    settingRows(schema).map((setting) => row(setting, schema.shape[setting.name])),
  );
