import { STYLE } from './style.ts';

/** HTML that is safe to put into a page as it is. */
export interface Html {
  readonly html: string;
}

const ESCAPES: Record<string, string> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

type Value = string | number | Html | readonly Html[];

const render = (value: Value): string => {
  if (typeof value === 'string') return value.replace(/[&<>"']/g, (char) => ESCAPES[char] ?? '');
  if (typeof value === 'number') return String(value);
  return 'html' in value ? value.html : value.map(({ html }) => html).join('');
};

/** A template whose values are escaped unless they are `Html` themselves. */
export const html = (parts: TemplateStringsArray, ...values: readonly Value[]): Html => ({
  html: parts.reduce((text, part, i) => text + render(values[i - 1] ?? '') + part),
});

export const NOTHING: Html = { html: '' };

/** A big number at the top of a report. */
export interface Headline {
  value: string;
  label: string;
  /** `true`: a goal was given and reached; `false`: given and missed. */
  good?: boolean;
}

const headlineCard = ({ value, label, good }: Headline): Html => {
  const mark =
    good === undefined ? NOTHING : html`<span class="${good ? 'good' : 'bad'}">${good ? '✓' : '○'}</span>`;
  return html`<li><strong>${value}${mark}</strong><span>${label}</span></li>`;
};

/** A card with a heading. */
export const card = (title: string, note: string, body: readonly Html[]): Html =>
  html`<section><h2>${title}</h2>${note ? html`<p class="note">${note}</p>` : NOTHING}${body}</section>`;

/** A table whose first column is text and whose others are figures. */
export const table = (columns: readonly string[], rows: readonly (readonly string[])[]): Html => {
  const head = columns.map((name) => html`<th scope="col">${name}</th>`);
  const line = ([first = '', ...rest]: readonly string[]) =>
    html`<tr><th scope="row">${first}</th>${rest.map((cell) => html`<td>${cell}</td>`)}</tr>`;
  return html`<div class="scroll"><table><thead><tr>${head}</tr></thead><tbody>${rows.map(line)}</tbody></table></div>`;
};

/** The same, folded away: the exact figures behind a chart. */
export const foldedTable = (summary: string, ...content: Parameters<typeof table>): Html =>
  html`<details><summary>${summary}</summary>${table(...content)}</details>`;

/** A whole report: one file that loads nothing, in the light or dark of whoever reads it. */
export const renderPage = (page: {
  title: string;
  subtitle: string;
  headlines: readonly Headline[];
  facts: Readonly<Record<string, string>>;
  sections: readonly Html[];
}): string => {
  const facts = Object.entries(page.facts).map(
    ([name, value]) => html`<div><dt>${name}</dt><dd>${value}</dd></div>`,
  );
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${page.title}</title>
<style>${{ html: STYLE }}</style>
</head>
<body>
<header><h1>${page.title}</h1><p>${page.subtitle}</p></header>
<main>
${page.headlines.length > 0 ? html`<ul class="headlines">${page.headlines.map(headlineCard)}</ul>` : NOTHING}
${page.sections}
<section><h2>Machine and settings</h2><dl>${facts}</dl></section>
</main>
</body>
</html>
`.html;
};
