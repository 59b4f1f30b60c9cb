/** One line of a Prometheus text. */
export interface Sample {
  name: string;
  labels: Readonly<Record<string, string>>;
  value: number;
}

const LINE = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)/;

/** What `/metrics` of an ops port says now. */
export const scrape = async (opsUrl: string): Promise<Sample[]> => {
  const response = await fetch(`${opsUrl}/metrics`);
  const text = await response.text();
  if (!response.ok) throw new Error(`/metrics answers ${response.status}: ${text}`);
  return text.split('\n').flatMap((line) => {
    const [, name, labels = '', value] = LINE.exec(line) ?? [];
    if (name === undefined) return [];
    const pairs = [...labels.matchAll(/(\w+)="([^"]*)"/g)].map(([, key = '', text = '']) => [key, text]);
    return [{ name, labels: Object.fromEntries(pairs), value: Number(value) }];
  });
};

/** The sum of the samples with this name whose labels have these values. */
export const total = (
  samples: readonly Sample[],
  name: string,
  labels: Readonly<Record<string, string>> = {},
): number =>
  samples
    .filter((sample) => sample.name === name)
    .filter((sample) => Object.entries(labels).every(([key, value]) => sample.labels[key] === value))
    .reduce((sum, { value }) => sum + value, 0);

/** The samples of several processes. */
export const scrapeAll = async (nodes: readonly { opsUrl: string }[]): Promise<Sample[]> =>
  (await Promise.all(nodes.map(({ opsUrl }) => scrape(opsUrl)))).flat();
