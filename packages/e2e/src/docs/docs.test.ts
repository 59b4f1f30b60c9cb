import { access } from 'node:fs/promises';
import { dirname, join, normalize } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { generateBlocks, type MarkdownFile, ROOT, readDocuments } from './documents.ts';
import { anchorsOf, blocksOf, linksOf, withBlocks } from './markdown.ts';

let documents: MarkdownFile[];
beforeAll(async () => {
  documents = await readDocuments();
});

const textOf = (path: string): string => documents.find((document) => document.path === path)?.text ?? '';
const linesOf = (path: string): number => textOf(path).trimEnd().split('\n').length;

/** Why a link leads nowhere, or undefined. */
const problemOf = async (from: string, target: string): Promise<string | undefined> => {
  const [file = '', anchor] = target.split('#');
  const path = file === '' ? from : normalize(join(dirname(from), decodeURIComponent(file)));
  const found = await access(join(ROOT, path)).then(
    () => true,
    () => false,
  );
  if (!found) return `${from}: ${target}`;
  const isMissing = anchor !== undefined && path.endsWith('.md') && !anchorsOf(textOf(path)).has(anchor);
  return isMissing ? `${from}: ${target} has no such heading` : undefined;
};

describe('the documents', () => {
  it('say what the code says; "npm run docs" brings them up to date', async () => {
    const blocks = await generateBlocks();
    for (const { path, text } of documents) {
      expect({ path, text: withBlocks(text, blocks) }).toEqual({ path, text });
    }
    const shown = documents.flatMap(({ text }) => blocksOf(text));
    expect(shown.toSorted()).toEqual(Object.keys(blocks).toSorted());
  });

  it('have no relative link that leads nowhere', async () => {
    const links = documents.flatMap(({ path, text }) => linksOf(text).map((target) => ({ path, target })));
    const relative = links.filter(({ target }) => !/^[a-z]+:/.test(target));
    const problems = await Promise.all(relative.map(({ path, target }) => problemOf(path, target)));
    expect(problems.filter((problem) => problem !== undefined)).toEqual([]);
    expect(relative.length).toBeGreaterThan(10);
  });

  it('are short: a README of 200 lines, of a package 60, a decision 60', () => {
    const isLong = ({ path }: MarkdownFile) => {
      if (path === 'README.md') return linesOf(path) > 200;
      if (path.startsWith('docs/adr/') || /^(packages|apps)\/[^/]+\/README\.md$/.test(path)) {
        return linesOf(path) > 60;
      }
      return false;
    };
    expect(documents.filter(isLong).map(({ path }) => path)).toEqual([]);
    expect(linesOf('README.md')).toBeGreaterThan(20);
  });

  it('have decisions of one form', () => {
    const headings = ['Context', 'Decision', 'Consequences', 'Rejected', 'Evidence'];
    const decisions = documents.filter(({ path }) => path.startsWith('docs/adr/'));
    for (const { path, text } of decisions) {
      expect(path).toMatch(/^docs\/adr\/\d{4}-[a-z0-9-]+\.md$/);
      const found = [...text.matchAll(/^## (.+)$/gm)].map(([, title]) => title);
      expect({ path, found }).toEqual({ path, found: headings });
    }
    expect(decisions.length).toBeGreaterThan(0);
  });
});
