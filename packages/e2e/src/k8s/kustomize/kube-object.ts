import { isAlias, parseAllDocuments, visit } from 'yaml';
import { z } from 'zod';

const kubeObject = z.looseObject({
  apiVersion: z.string(),
  kind: z.string(),
  metadata: z.looseObject({ name: z.string(), namespace: z.string().optional() }),
});

/** Any Kubernetes object: what identifies it is typed, the rest is as it stands in the YAML. */
export type KubeObject = z.output<typeof kubeObject>;

/** `StatefulSet/gateway`: how a message names an object. */
export const nameOf = (object: KubeObject): string => `${object.kind}/${object.metadata.name}`;

export type Mapping = Record<string, unknown>;

export const isMapping = (value: unknown): value is Mapping =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** The documents of a YAML text; a syntax error, a warning, a repeated key or an alias is an error. */
export function parseYaml(text: string, source: string): Mapping[] {
  return parseAllDocuments(text).flatMap((document) => {
    const problem = document.errors[0] ?? document.warnings[0];
    if (problem) throw new Error(`${source}: ${problem.message}`, { cause: problem });
    visit(document, (_key, node) => {
      if (isAlias(node)) throw new Error(`${source}: aliases hide what is applied`);
    });
    if (document.contents === null) return [];
    const value: unknown = document.toJS();
    if (!isMapping(value)) throw new Error(`${source}: expected a mapping`);
    return [value];
  });
}

/** The Kubernetes objects of a YAML text. */
export function parseObjects(text: string, source: string): KubeObject[] {
  return parseYaml(text, source).map((value) => {
    const result = kubeObject.safeParse(value);
    if (result.success) return result.data;
    throw new Error(`${source}: not a Kubernetes object: ${z.prettifyError(result.error)}`);
  });
}
