import { isMapping, type Mapping } from './kube-object.ts';

/**
 * A strategic merge patch: mappings merge, null removes, lists are replaced. Of the lists that Kubernetes
 * merges by a key only `containers` and `env` are known here; a patch with another list of objects is an error.
 */
export function mergeStrategically(base: Mapping, patch: Mapping): Mapping {
  const merged = { ...base };
  for (const [key, change] of Object.entries(patch)) {
    const current = base[key];
    if (change === null) delete merged[key];
    else if (isMapping(change)) merged[key] = mergeStrategically(isMapping(current) ? current : {}, change);
    else if (Array.isArray(change)) merged[key] = mergeList(key, current, change);
    else merged[key] = change;
  }
  return merged;
}

function mergeList(key: string, base: unknown, patch: readonly unknown[]): unknown[] {
  if (!patch.some(isMapping)) return [...patch];
  if (!['containers', 'env'].includes(key) || !Array.isArray(base))
    throw new Error(`a patch of the list "${key}" is not known here`);
  const changes = new Map(patch.filter(isMapping).map((change) => [change.name, change]));
  const merged = base.filter(isMapping).map((item) => {
    const change = changes.get(item.name);
    changes.delete(item.name);
    return change ? mergeStrategically(item, change) : item;
  });
  if (key === 'env') return [...changes.values(), ...merged];
  const left = [...changes.keys()][0];
  if (left !== undefined) throw new Error(`a patch is for the container ${String(left)}, which is not there`);
  return merged;
}
