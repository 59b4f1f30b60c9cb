import { runMain } from '@fanfare/runtime';
import { createApi } from './api.ts';
import { loadApiConfig } from './config.ts';

await runMain({ load: loadApiConfig, start: createApi });
