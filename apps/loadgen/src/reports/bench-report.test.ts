import { describe, expect, it } from 'vitest';
import { sampleResult } from '../bench/sample.ts';
import { renderBenchReport } from './bench-report.ts';
import { renderTable } from './bench-table.ts';

describe('the report of a run', () => {
  const page = renderBenchReport(sampleResult());

  it('is one file that loads nothing from elsewhere', () => {
    expect(page).not.toMatch(/https?:|\bsrc=|\bhref=|@import|url\(|<script|<link/);
  });

  it('draws a chart for every comparison and both latencies', () => {
    expect(page.match(/<svg /g)).toHaveLength(4 + 2 + 3 + 2 + 2);
    expect(page).not.toMatch(/NaN|undefined|Infinity/);
  });

  it('has colours for light and dark', () => {
    expect(page).toContain('prefers-color-scheme: dark');
  });

  it('escapes what it is given', () => {
    expect(page).toContain('A &lt;fast&gt; CPU &amp; more');
  });

  it('leaves out the parts that were not measured', () => {
    const { delivery: _, smallRooms: __, publish: ___, ...rest } = sampleResult();
    expect(renderBenchReport(rest)).not.toContain('Delivery');
  });
});

describe('the table of a run', () => {
  const text = renderTable(sampleResult());

  it('names the servers, the settings and the goals', () => {
    for (const expected of [
      'Fanfare',
      'Socket.IO',
      'the limit',
      'C, one send() per socket',
      'goal ≥ 1.9: reached',
    ]) {
      expect(text).toContain(expected);
    }
  });

  it('says when a goal is not reached', () => {
    expect(text).toContain('goal ≤ 1.35: not reached');
  });
});
