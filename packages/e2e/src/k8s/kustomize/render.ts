import { readFile } from 'node:fs/promises';
import { basename, join, relative, resolve } from 'node:path';
import { z } from 'zod';
import { type GeneratedConfigMap, hashedName, parseLiteral } from './config-map.ts';
import { isMapping, type KubeObject, type Mapping, nameOf, parseObjects, parseYaml } from './kube-object.ts';
import { mergeStrategically } from './merge.ts';

/** Exactly the features of kustomize that k8s/ uses; any other field is an error, never ignored. */
const kustomization = z.strictObject({
  apiVersion: z.literal('kustomize.config.k8s.io/v1beta1'),
  kind: z.literal('Kustomization'),
  namespace: z.string().optional(),
  components: z.array(z.string()).default([]),
  resources: z.array(z.string()).default([]),
  configMapGenerator: z
    .array(
      z.strictObject({
        name: z.string(),
        behavior: z.enum(['create', 'merge']).default('create'),
        files: z.array(z.string().regex(/^[^=]+$/)).default([]),
        literals: z.array(z.string()).default([]),
      }),
    )
    .default([]),
  images: z
    .array(
      z.strictObject({ name: z.string(), newName: z.string().optional(), newTag: z.string().optional() }),
    )
    .default([]),
  replicas: z.array(z.strictObject({ name: z.string(), count: z.int().min(0) })).default([]),
  patches: z.array(z.strictObject({ path: z.string() })).default([]),
});
/** A layer that is laid over whoever takes it in. */
const component = kustomization.extend({
  apiVersion: z.literal('kustomize.config.k8s.io/v1alpha1'),
  kind: z.literal('Component'),
});

type Kustomization = z.output<typeof kustomization>;
type Layer = Kustomization | z.output<typeof component>;

interface Rendering {
  objects: KubeObject[];
  /** By name; they become objects last, since a layer above may still change them. */
  configMaps: Map<string, GeneratedConfigMap>;
}

/** What `kubectl kustomize` prints for a folder, as objects. */
export async function renderKustomization(folder: string): Promise<KubeObject[]> {
  const { objects, configMaps } = await renderLayer(resolve(folder));
  const names = new Map([...configMaps.values()].map((map) => [map.name, hashedName(map)]));
  for (const object of objects) renameReferences(object, names);
  const maps = [...configMaps.values()].map(({ name, namespace, data }) => ({
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name: names.get(name) ?? name, ...(namespace !== undefined && { namespace }) },
    data,
  }));
  return [...objects, ...maps];
}

async function renderLayer(folder: string): Promise<Rendering> {
  const rendering: Rendering = { objects: [], configMaps: new Map() };
  await addLayer(rendering, folder, await readLayer(folder, kustomization));
  return rendering;
}

async function addLayer(rendering: Rendering, folder: string, layer: Layer): Promise<void> {
  for (const resource of layer.resources) await addResource(rendering, folder, resource);
  for (const generator of layer.configMapGenerator) await addConfigMap(rendering, folder, generator);
  // After the layer's own ConfigMaps, before what changes objects: as kustomize does it.
  for (const path of layer.components) {
    const below = resolve(folder, path);
    await addLayer(rendering, below, await readLayer(below, component));
  }
  for (const { path } of layer.patches) {
    for (const patch of parseObjects(await readInside(folder, path), path))
      applyPatch(rendering.objects, patch);
  }
  for (const image of layer.images) setImage(rendering.objects, image);
  for (const { name, count } of layer.replicas) setReplicas(rendering.objects, name, count);
  if (layer.namespace !== undefined) setNamespace(rendering, layer.namespace);
}

async function readLayer<Shape extends z.ZodType>(folder: string, shape: Shape): Promise<z.output<Shape>> {
  const path = join(folder, 'kustomization.yaml');
  const [document, ...others] = parseYaml(await readFile(path, 'utf8'), path);
  const result = shape.safeParse(document);
  if (!result.success) throw new Error(`${path}: ${z.prettifyError(result.error)}`);
  if (others.length > 0) throw new Error(`${path}: more than one document`);
  return result.data;
}

/** kustomize's load restrictor: a file outside its folder is refused. */
async function readInside(folder: string, file: string): Promise<string> {
  const path = resolve(folder, file);
  if (relative(folder, path).startsWith('..')) throw new Error(`${file} is outside of ${folder}`);
  return readFile(path, 'utf8');
}

async function addResource(rendering: Rendering, folder: string, resource: string): Promise<void> {
  if (resource.endsWith('.yaml')) {
    for (const object of parseObjects(await readInside(folder, resource), join(folder, resource))) {
      if (rendering.objects.some((other) => nameOf(other) === nameOf(object))) {
        throw new Error(`${nameOf(object)} is there twice`);
      }
      rendering.objects.push(object);
    }
    return;
  }
  const below = await renderLayer(resolve(folder, resource));
  rendering.objects.push(...below.objects);
  for (const [name, map] of below.configMaps) rendering.configMaps.set(name, map);
}

async function addConfigMap(
  rendering: Rendering,
  folder: string,
  generator: Kustomization['configMapGenerator'][number],
): Promise<void> {
  const { name, behavior } = generator;
  const existing = rendering.configMaps.get(name);
  if ((existing !== undefined) !== (behavior === 'merge')) {
    throw new Error(`cannot ${behavior} ConfigMap ${name} in ${folder}`);
  }
  const files = await Promise.all(
    generator.files.map(async (file) => [basename(file), await readInside(folder, file)] as const),
  );
  const data = {
    ...existing?.data,
    ...Object.fromEntries([...files, ...generator.literals.map(parseLiteral)]),
  };
  rendering.configMaps.set(name, { ...existing, name, data });
}

function applyPatch(objects: KubeObject[], patch: KubeObject): void {
  const index = objects.findIndex((object) => nameOf(object) === nameOf(patch));
  const object = objects[index];
  if (!object) throw new Error(`a patch is for ${nameOf(patch)}, which is not there`);
  objects[index] = { ...object, ...mergeStrategically(object, patch), metadata: object.metadata };
}

function setImage(objects: readonly KubeObject[], image: Kustomization['images'][number]): void {
  const found = containersIn(objects).filter(({ image: current }) => repositoryOf(current) === image.name);
  if (found.length === 0) throw new Error(`no container has the image ${image.name}`);
  for (const container of found) {
    const tag =
      image.newTag === undefined ? String(container.image).slice(image.name.length) : `:${image.newTag}`;
    container.image = `${image.newName ?? image.name}${tag}`;
  }
}

const repositoryOf = (image: unknown): string => String(image).replace(/(:[^/:@]+)?(@.+)?$/, '');

function setReplicas(objects: readonly KubeObject[], name: string, count: number): void {
  const workloads = objects.filter(
    ({ kind, metadata }) => ['Deployment', 'StatefulSet'].includes(kind) && metadata.name === name,
  );
  if (workloads.length === 0) throw new Error(`no workload is named ${name}`);
  for (const { spec } of workloads) if (isMapping(spec)) spec.replicas = count;
}

function setNamespace({ objects, configMaps }: Rendering, namespace: string): void {
  for (const { kind, metadata } of objects) {
    if (kind === 'Namespace') metadata.name = namespace;
    else metadata.namespace = namespace;
  }
  for (const map of configMaps.values()) map.namespace = namespace;
}

function containersIn(value: unknown): Mapping[] {
  if (Array.isArray(value)) return value.flatMap(containersIn);
  if (!isMapping(value)) return [];
  return Object.entries(value).flatMap(([key, child]) =>
    /^(c|initC)ontainers$/.test(key) && Array.isArray(child) ? child.filter(isMapping) : containersIn(child),
  );
}

const REFERENCES = ['configMap', 'configMapRef', 'configMapKeyRef'];

function renameReferences(value: unknown, names: ReadonlyMap<string, string>): void {
  if (Array.isArray(value)) for (const item of value) renameReferences(item, names);
  if (!isMapping(value)) return;
  for (const [key, child] of Object.entries(value)) {
    if (REFERENCES.includes(key) && isMapping(child) && typeof child.name === 'string') {
      child.name = names.get(child.name) ?? child.name;
    } else {
      renameReferences(child, names);
    }
  }
}
