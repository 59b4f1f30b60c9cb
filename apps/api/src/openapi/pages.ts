import { fileURLToPath } from 'node:url';
import { ERRORS } from '@fanfare/protocol';
import { Router } from 'express';

const RAPIDOC = fileURLToPath(import.meta.resolve('rapidoc'));

const ESCAPES: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' };
const escapeHtml = (text: string): string => text.replace(/[&<>"]/g, (char) => ESCAPES[char] ?? char);

const page = (title: string, head: string, body: string): string => `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${title}</title>
<link rel="icon" href="data:,">
${head}
</head>
<body>
${body}
</body>
</html>
`;

// `load-fonts` would fetch from another host.
const REFERENCE = page(
  'Fanfare API',
  '<script type="module" src="/docs/rapidoc.js"></script>',
  `<rapi-doc spec-url="/v1/openapi.json" load-fonts="false" regular-font="system-ui, sans-serif"
  mono-font="ui-monospace, monospace" render-style="read" theme="light" primary-color="#7c3aed"
  show-header="false" allow-server-selection="false" allow-spec-file-download="false"
  schema-style="table" use-path-in-nav-bar="false" persist-auth="false"></rapi-doc>`,
);

const errorRow = ([code, { status, retryable, message }]: [string, (typeof ERRORS)[keyof typeof ERRORS]]) =>
  `<tr id="${code}"><td><code>${code}</code></td><td>${status}</td><td>${retryable ? 'yes' : 'no'}</td><td>${escapeHtml(message)}</td></tr>`;

const ERROR_TABLE = page(
  'Fanfare errors',
  `<style>
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; color: #1f2937 }
td, th { text-align: left; padding: .4rem 1rem .4rem 0; border-bottom: 1px solid #e5e7eb; vertical-align: top }
tr:target { background: #ede9fe }
</style>`,
  `<h1>Errors</h1>
<p>What HTTP answers, acks and <code>connect_error.data</code> carry in <code>code</code>. Back to the <a href="/docs">API</a>.</p>
<table>
<thead><tr><th>Code</th><th>HTTP status</th><th>Retryable</th><th>Meaning</th></tr></thead>
<tbody>
${Object.entries(ERRORS).map(errorRow).join('\n')}
</tbody>
</table>`,
);

/** The pages for people, all below /docs and all from this process: the reference and the error table. */
export function createPages(): Router {
  const pages = Router();
  pages.get('/docs', (_req, res) => {
    res.type('html').send(REFERENCE);
  });
  pages.get('/docs/errors', (_req, res) => {
    res.type('html').send(ERROR_TABLE);
  });
  pages.get('/docs/rapidoc.js', (_req, res) => {
    res.sendFile(RAPIDOC, { maxAge: '1h' });
  });
  return pages;
}
