// Loaded before a gateway that has no handlers module: commands from stdin, of which it is only asked for its memory.
import { serveControl } from './control.ts';

serveControl(() => undefined);
