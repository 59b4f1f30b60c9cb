import { parser } from '@prometheus-io/lezer-promql';

/** A series that a query asks for. */
export interface Selector {
  metric: string;
  /** Labels it is matched by, and those that the query groups or joins by. */
  labels: string[];
  /** Values that labels have to be equal to. */
  equals: Readonly<Record<string, string>>;
}

/** The series of a PromQL query; throws where Prometheus could not read it. */
export function selectorsOf(query: string): Selector[] {
  const selectors: { metric: string; labels: string[]; equals: Record<string, string> }[] = [];
  const grouping: string[] = [];
  let matcher: { label: string; isEqual: boolean } | undefined;
  parser.parse(query).iterate({
    enter: (node) => {
      const { name, from, to, type } = node;
      const text = query.slice(from, to);
      const last = selectors.at(-1);
      if (type.isError) throw new SyntaxError(`PromQL: unexpected "${text}" at ${from} of ${query}`);
      if (name === 'Identifier' && node.matchContext(['VectorSelector'])) {
        selectors.push({ metric: text, labels: [], equals: {} });
      } else if (name === 'LabelName' && node.matchContext(['GroupingLabels'])) {
        grouping.push(text);
      } else if (name === 'LabelName') {
        matcher = { label: text, isEqual: false };
        last?.labels.push(text);
      } else if (name === 'EqlSingle' && matcher) {
        matcher.isEqual = true;
      } else if (name === 'StringLiteral' && matcher) {
        if (matcher.isEqual && last) last.equals[matcher.label] = text.slice(1, -1);
        matcher = undefined;
      }
    },
  });
  return selectors.map(({ metric, labels, equals }) => ({
    metric,
    labels: [...labels, ...grouping],
    equals,
  }));
}
