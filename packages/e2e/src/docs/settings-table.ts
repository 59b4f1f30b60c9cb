import { settingRows } from '@fanfare/runtime';
import type { z } from 'zod';
import { code, table } from './markdown.ts';

/** The settings of a process, in the order of their schema. */
export const settingsTable = (schema: z.ZodObject): string =>
  table(
    ['Setting', 'Default', 'What it does'],
    settingRows(schema).map((setting) => [
      `${code(setting.name)}${setting.secret ? `, or ${code(`${setting.name}_FILE`)}` : ''}`,
      setting.required ? 'required' : code(setting.default),
      setting.description,
    ]),
  );
