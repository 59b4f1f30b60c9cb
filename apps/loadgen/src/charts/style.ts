/** The look of every report; no font, picture or script comes from elsewhere. */
export const STYLE = `
:root {
  color-scheme: light dark;
  --page: #f6f5f1; --card: #ffffff; --ink: #1b1d22; --muted: #636874; --line: #e3e1da;
  --accent: #0b7a6b; --second: #b9541f; --third: #4c58b0; --plain: #b9bcc4; --good: #0b7a6b; --bad: #a06a00;
}
@media (prefers-color-scheme: dark) {
  :root {
    --page: #121418; --card: #1a1d23; --ink: #eceae4; --muted: #9aa0ab; --line: #2b2f38;
    --accent: #3ec6ae; --second: #f0955c; --third: #98a3f5; --plain: #565c69; --good: #3ec6ae; --bad: #e5b95a;
  }
}
* { box-sizing: border-box; }
body {
  margin: 0; background: var(--page); color: var(--ink);
  font: 16px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", sans-serif;
}
header, main { max-width: 60rem; margin: 0 auto; padding: 0 1.25rem; }
header { padding-top: 3rem; padding-bottom: 1.5rem; }
h1 { margin: 0; font-size: 2rem; line-height: 1.15; letter-spacing: -0.02em; text-wrap: balance; }
header p { margin: 0.5rem 0 0; color: var(--muted); max-width: 44rem; }
main { display: grid; gap: 1rem; padding-bottom: 4rem; }
main > * { min-width: 0; }
section, .headlines li { background: var(--card); border: 1px solid var(--line); border-radius: 0.75rem; }
section { padding: 1.5rem; }
h2 { margin: 0; font-size: 1.125rem; letter-spacing: -0.01em; }
h3 { margin: 1.5rem 0 0.5rem; font-size: 0.9375rem; font-weight: 600; }
.note { margin: 0.25rem 0 0; color: var(--muted); font-size: 0.875rem; max-width: 44rem; }
.headlines {
  display: grid; gap: 1rem; grid-template-columns: repeat(auto-fit, minmax(min(15rem, 45%), 1fr));
  list-style: none; margin: 0; padding: 0;
}
.headlines li { padding: 1.125rem 1.25rem; display: grid; gap: 0.25rem; align-content: start; }
.headlines strong { font-size: 1.75rem; line-height: 1.1; letter-spacing: -0.02em; font-variant-numeric: tabular-nums; }
.headlines li > span { color: var(--muted); font-size: 0.875rem; line-height: 1.35; }
.good, .bad { font-size: 1rem; margin-left: 0.4rem; vertical-align: 0.2em; }
.good { color: var(--good); } .bad { color: var(--bad); }
.ratios { list-style: none; margin: 0.25rem 0 0; padding: 0; display: flex; flex-wrap: wrap; gap: 0.375rem 0.5rem; }
.ratios li {
  border: 1px solid var(--line); border-radius: 1rem; padding: 0.125rem 0.75rem; font-size: 0.8125rem;
  font-variant-numeric: tabular-nums;
}
.ratios .good, .ratios .bad { font-size: 0.8125rem; margin-left: 0.35rem; vertical-align: 0; }
svg { display: block; width: 100%; min-width: 38rem; height: auto; margin-top: 0.5rem; overflow: visible; }
svg text { fill: var(--ink); font-size: 13px; font-variant-numeric: tabular-nums; }
svg .muted { fill: var(--muted); }
svg .grid { stroke: var(--line); stroke-width: 1; }
svg .axis { stroke: var(--muted); stroke-width: 1; }
svg .whisker { stroke: var(--ink); stroke-width: 1.5; opacity: 0.7; }
svg .fill-accent { fill: var(--accent); } svg .fill-second { fill: var(--second); }
svg .fill-third { fill: var(--third); } svg .fill-plain { fill: var(--plain); }
svg .shade { fill: var(--ink); opacity: 0.22; }
svg .line { fill: none; stroke-width: 2; stroke-linejoin: round; stroke-linecap: round; }
svg .stroke-accent { stroke: var(--accent); } svg .stroke-second { stroke: var(--second); }
svg .stroke-third { stroke: var(--third); } svg .stroke-plain { stroke: var(--plain); }
.scroll { overflow-x: auto; }
details { margin-top: 1rem; font-size: 0.875rem; }
summary { cursor: pointer; color: var(--muted); }
summary:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; border-radius: 2px; }
table { border-collapse: collapse; width: 100%; margin-top: 0.75rem; font-size: 0.875rem; }
th, td { padding: 0.375rem 0.75rem 0.375rem 0; text-align: right; font-variant-numeric: tabular-nums; }
th { font-weight: 500; } thead th { color: var(--muted); }
th:first-child { text-align: left; }
tbody tr { border-top: 1px solid var(--line); }
dl { margin: 0.75rem 0 0; display: grid; gap: 0.5rem 1.5rem; grid-template-columns: repeat(auto-fit, minmax(16rem, 1fr)); }
dt { color: var(--muted); font-size: 0.8125rem; } dd { margin: 0; font-size: 0.875rem; overflow-wrap: anywhere; }
@media print { body { background: none; } section, .headlines li { break-inside: avoid; } }
`;
