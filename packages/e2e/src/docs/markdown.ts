/** A table cell in which a pipe is a pipe. */
const cell = (text: string): string => text.replaceAll('|', '\\|').replaceAll('\n', ' ');

export const table = (head: readonly string[], rows: readonly (readonly string[])[]): string =>
  [head, head.map(() => '---'), ...rows].map((row) => `| ${row.map(cell).join(' | ')} |`).join('\n');

export const code = (text: string): string => (text === '' ? '' : `\`${text}\``);

const BLOCK = /(<!-- generated: ([a-z-]+) -->\n)[\s\S]*?(<!-- \/generated -->)/g;

/** The names of the generated blocks of a document. */
export const blocksOf = (text: string): string[] => [...text.matchAll(BLOCK)].map(([, , name = '']) => name);

/** The document with every `<!-- generated: NAME -->` block as it is now. */
export const withBlocks = (text: string, blocks: Readonly<Record<string, string>>): string =>
  text.replace(BLOCK, (_all, open: string, name: string, close: string) => {
    const block = blocks[name];
    if (block === undefined) throw new Error(`Nothing generates the block "${name}".`);
    return `${open}\n${block}\n\n${close}`;
  });

/** The anchors of a document's headings, as GitHub makes them. */
export const anchorsOf = (text: string): Set<string> =>
  new Set(
    [...withoutFences(text).matchAll(/^#{1,6} +(.+)$/gm)].map(([, title = '']) =>
      title
        .toLowerCase()
        .replace(/[^\p{L}\p{N}\s_-]/gu, '')
        .trim()
        .replace(/\s/g, '-'),
    ),
  );

/** The targets of all links of a document. */
export const linksOf = (text: string): string[] =>
  [...withoutFences(text).matchAll(/\]\(([^)\s]+)\)/g)].map(([, target = '']) => target);

/** The fenced blocks of one language, in order. */
export const fencesOf = (text: string, language: string): string[] =>
  [...text.matchAll(/^```(\w*)\n([\s\S]*?)^```$/gm)]
    .filter(([, name]) => name === language)
    .map(([, , body = '']) => body);

/** The one fenced block of a language that has this text in it; throws where there is none, or another. */
export const fenceWith = (text: string, language: string, holding: string): string => {
  const found = fencesOf(text, language).filter((body) => body.includes(holding));
  const [only, another] = found;
  if (only === undefined || another !== undefined)
    throw new Error(`${found.length} ${language} blocks have ${holding}`);
  return only;
};

const withoutFences = (text: string): string => text.replace(/^```[\s\S]*?^```$/gm, '');
