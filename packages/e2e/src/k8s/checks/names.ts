import type { Cluster } from '../cluster.ts';
import { type KubeObject, nameOf } from '../kustomize/kube-object.ts';

const LABEL = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/;
const SERVICE_NAME = /^[a-z]([a-z0-9-]{0,61}[a-z0-9])?$/;
const PORT_NAME = /^(?=.*[a-z])(?!.*--)[a-z0-9]([a-z0-9-]{0,13}[a-z0-9])?$/;
const LABEL_VALUE = /^([A-Za-z0-9]([\w.-]{0,61}[A-Za-z0-9])?)?$/;
const CONFIG_KEY = /^[\w.-]{1,253}$/;
/** Pods are named after a StatefulSet with `-10` behind, and that is a label. */
const WORKLOAD_NAME_LENGTH = 52;

/** Names, labels and port numbers that the API server would refuse. */
export function nameProblems(objects: readonly KubeObject[], cluster: Cluster): string[] {
  const problems = objects.flatMap((object) => {
    const { name } = object.metadata;
    const valid =
      object.kind === 'Service' ? SERVICE_NAME.test(name) : name.split('.').every((part) => LABEL.test(part));
    return valid ? [] : [`${nameOf(object)}: not a valid name`];
  });
  const seen = new Set<string>();
  for (const object of objects) {
    const id = nameOf(object);
    if (seen.has(id)) problems.push(`${id}: there twice`);
    seen.add(id);
  }
  for (const [name, data] of cluster.configMaps) {
    for (const key of Object.keys(data)) {
      if (!CONFIG_KEY.test(key)) problems.push(`ConfigMap/${name}: "${key}" is not a valid key`);
    }
  }
  for (const { kind, metadata, spec } of cluster.workloads) {
    const where = `${kind}/${metadata.name}`;
    if (metadata.name.length > WORKLOAD_NAME_LENGTH)
      problems.push(`${where}: too long for the names of its pods`);
    for (const [key, value] of Object.entries(spec.template.metadata.labels)) {
      if (!LABEL_VALUE.test(value)) problems.push(`${where}: label ${key} has an invalid value`);
    }
    for (const container of spec.template.spec.containers) {
      if (!LABEL.test(container.name)) problems.push(`${where}: "${container.name}" is not a container name`);
      for (const { name, containerPort } of container.ports) {
        problems.push(...portProblems(where, name, containerPort));
      }
    }
  }
  for (const { metadata, spec } of cluster.services) {
    for (const { name, port } of spec.ports)
      problems.push(...portProblems(`Service/${metadata.name}`, name, port));
  }
  return problems;
}

function portProblems(where: string, name: string | undefined, number: number): string[] {
  const problems = [];
  if (number < 1 || number > 65_535) problems.push(`${where}: ${number} is not a port`);
  if (name !== undefined && !PORT_NAME.test(name)) problems.push(`${where}: "${name}" is not a port name`);
  return problems;
}
