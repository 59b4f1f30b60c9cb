/** A guarantee of `docs/guarantees.md` and what shows it. */
export interface Guarantee {
  /** `G1` */
  name: string;
  /** Tests by file and title. */
  tests: { file: string; title: string }[];
  /** Parts of the plan that are still to show some of it. */
  due: number[];
}

const HEADING = /^## (G\d+)$/;
const TEST = /^- `([^`]+)`: (.+)$/;
const DUE = /^- due: part (\d+)\b/;

/** Reads the headings `## G1` and, below each, the lines that name a test or say when it is due. */
export const readGuarantees = (markdown: string): Guarantee[] => {
  const guarantees: Guarantee[] = [];
  for (const line of markdown.split('\n')) {
    const name = HEADING.exec(line)?.[1];
    if (name !== undefined) guarantees.push({ name, tests: [], due: [] });
    const current = guarantees.at(-1);
    const [, file, title] = TEST.exec(line) ?? [];
    if (file !== undefined && title !== undefined) current?.tests.push({ file, title });
    const part = DUE.exec(line)?.[1];
    if (part !== undefined) current?.due.push(Number(part));
  }
  return guarantees;
};

/** Whether a test file has a test with exactly this title. */
export const hasTest = (source: string, title: string): boolean =>
  [...source.matchAll(/\b(?:it|test)(?:\.\w+)?(?:\(\w+\))?\(\s*(['"`])((?:\\.|(?!\1).)*)\1/gs)].some(
    ([, , found = '']) => found.replace(/\\(.)/g, '$1') === title,
  );
