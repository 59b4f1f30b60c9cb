import { describe, expect, it } from 'vitest';
import { barChart } from './bars.ts';
import { lineChart, niceStep } from './lines.ts';
import { foldedTable, html } from './page.ts';

describe('html', () => {
  it('escapes values and keeps what is HTML already', () => {
    const name = `<b>"Tom" & 'Jerry'</b>`;
    expect(html`<p title="${name}">${[html`<i>${name}</i>`]}</p>`.html).toBe(
      '<p title="&lt;b&gt;&quot;Tom&quot; &amp; &#39;Jerry&#39;&lt;/b&gt;"><i>&lt;b&gt;&quot;Tom&quot; &amp; &#39;Jerry&#39;&lt;/b&gt;</i></p>',
    );
  });
});

describe('charts', () => {
  it('draws bars of zero and of nothing at all', () => {
    expect(barChart('empty', []).html).not.toContain('NaN');
    expect(barChart('zero', [{ label: 'none', value: 0, text: '0' }]).html).not.toContain('NaN');
  });

  it('draws the longest bar to the end of the whisker', () => {
    const bars = [{ label: 'one', value: 5, text: '5', spread: { min: 4, max: 10 } }];
    expect(barChart('bars', bars).html).toContain('width="270"');
  });

  it('draws a line through one point and through a flat series', () => {
    for (const points of [
      [{ x: 1, y: 0 }],
      [
        { x: 0, y: 3 },
        { x: 1, y: 3 },
      ],
    ]) {
      expect(lineChart({ title: 't', x: 'x', y: 'y', lines: [{ name: 'n', points }] }).html).not.toMatch(
        /NaN|Infinity/,
      );
    }
  });

  it.each([
    [10, 5, 2],
    [97, 4, 50],
    [0.6, 4, 0.2],
    [1, 4, 0.5],
  ])('cuts %d into about %d steps of %d', (span, count, step) => {
    expect(niceStep(span, count)).toBeCloseTo(step);
  });

  it('folds the figures away', () => {
    expect(foldedTable('The figures', ['', 'median'], [['one', '1']]).html).toContain('<td>1</td>');
  });
});
