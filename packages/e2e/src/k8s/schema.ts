import * as client from '@kubernetes/client-node';
import { Deployment } from 'kubernetes-models/apps/v1/Deployment';
import { StatefulSet } from 'kubernetes-models/apps/v1/StatefulSet';
import { HorizontalPodAutoscaler } from 'kubernetes-models/autoscaling/v2/HorizontalPodAutoscaler';
import { NetworkPolicy } from 'kubernetes-models/networking.k8s.io/v1/NetworkPolicy';
import { PodDisruptionBudget } from 'kubernetes-models/policy/v1/PodDisruptionBudget';
import { ConfigMap } from 'kubernetes-models/v1/ConfigMap';
import { Namespace } from 'kubernetes-models/v1/Namespace';
import { Service } from 'kubernetes-models/v1/Service';
import { isMapping, type KubeObject, nameOf } from './kustomize/kube-object.ts';

/** A class of the official client: knows every field of its kind and the type of each. */
interface TypedFields {
  getAttributeTypeMap(): { baseName: string; type: string; format: string }[];
}

interface Kind {
  fields: TypedFields;
  /** Throws at a wrong type, a missing field or a value that is not of an enumeration. */
  validate(object: unknown): void;
}

const kind = <T>(
  model: { is(value: unknown): value is T; new (data: T): { validate(): void } },
  fields: TypedFields,
): Kind => ({
  fields,
  validate: (object) => {
    if (model.is(object)) new model(object).validate();
  },
});

/** The kinds that k8s/ uses: generally available ones only. */
const KINDS: Readonly<Record<string, Kind>> = {
  'v1 ConfigMap': kind(ConfigMap, client.V1ConfigMap),
  'v1 Namespace': kind(Namespace, client.V1Namespace),
  'v1 Service': kind(Service, client.V1Service),
  'apps/v1 Deployment': kind(Deployment, client.V1Deployment),
  'apps/v1 StatefulSet': kind(StatefulSet, client.V1StatefulSet),
  'autoscaling/v2 HorizontalPodAutoscaler': kind(HorizontalPodAutoscaler, client.V2HorizontalPodAutoscaler),
  'networking.k8s.io/v1 NetworkPolicy': kind(NetworkPolicy, client.V1NetworkPolicy),
  'policy/v1 PodDisruptionBudget': kind(PodDisruptionBudget, client.V1PodDisruptionBudget),
};

const exported: Readonly<Record<string, unknown>> = { ...client };

const hasFields = (value: unknown): value is TypedFields =>
  typeof value === 'function' && 'getAttributeTypeMap' in value;

/**
 * What is wrong with an object by the schemas of its kind. `kubernetes-models` knows values and required fields
 * but lets unknown ones pass; the types of the official client know every field.
 */
export function schemaProblems(object: KubeObject): string[] {
  const id = `${object.apiVersion} ${object.kind}`;
  const known = KINDS[id];
  if (!known) return [`${nameOf(object)}: ${id} is not one of the kinds that are used here`];
  const problems = fieldProblems(object, known.fields, '');
  try {
    known.validate(object);
  } catch (error) {
    problems.push(error instanceof Error ? error.message : String(error));
  }
  return problems.map((problem) => `${nameOf(object)}: ${problem}`);
}

function fieldProblems(value: unknown, fields: TypedFields, path: string): string[] {
  if (!isMapping(value)) return [`${path} is not a mapping`];
  const types = new Map(fields.getAttributeTypeMap().map(({ baseName, ...rest }) => [baseName, rest]));
  return Object.entries(value).flatMap(([name, child]) => {
    const field = types.get(name);
    if (!field) return [`${path}/${name} is not a field`];
    return valueProblems(child, field.type, `${path}/${name}`);
  });
}

function valueProblems(value: unknown, type: string, path: string): string[] {
  const list = /^Array<(.+)>$/.exec(type)?.[1];
  if (list !== undefined) {
    if (!Array.isArray(value)) return [`${path} is not a list`];
    return value.flatMap((item, index) => valueProblems(item, list, `${path}/${index}`));
  }
  const entries = /^\{ \[key: string\]: (.+); \}$/.exec(type)?.[1];
  if (entries !== undefined) {
    if (!isMapping(value)) return [`${path} is not a mapping`];
    // Quantities count as strings here and may be numbers: kubernetes-models knows them.
    if (entries === 'string') return [];
    return Object.entries(value).flatMap(([key, item]) => valueProblems(item, entries, `${path}/${key}`));
  }
  const model = exported[type];
  if (hasFields(model)) return fieldProblems(value, model, path);
  if (['string', 'number', 'boolean'].includes(type) && typeof value !== type)
    return [`${path} is not a ${type}`];
  return [];
}
