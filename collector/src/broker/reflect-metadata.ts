/**
 * The four functions of the "Metadata Reflection API" that @peculiar/x509 wants to find when it is loaded (its
 * dependency tsyringe does). Only its own classes use them; where another polyfill is there already, that one stays.
 */
type Key = string | symbol;
interface MetadataApi {
  defineMetadata(key: unknown, value: unknown, target: object, property?: Key): void;
  getOwnMetadata(key: unknown, target: object, property?: Key): unknown;
  getMetadata(key: unknown, target: object, property?: Key): unknown;
  metadata(key: unknown, value: unknown): (target: object, property?: Key) => void;
}

const store = new WeakMap<object, Map<Key | undefined, Map<unknown, unknown>>>();

const api: MetadataApi = {
  defineMetadata(key, value, target, property) {
    const properties = store.get(target) ?? new Map<Key | undefined, Map<unknown, unknown>>();
    store.set(target, properties);
    const values = properties.get(property) ?? new Map<unknown, unknown>();
    properties.set(property, values);
    values.set(key, value);
  },
  getOwnMetadata(key, target, property) {
    return store.get(target)?.get(property)?.get(key);
  },
  getMetadata(key, target, property) {
    for (let at: object | null = target; at !== null; at = Object.getPrototypeOf(at)) {
      const values = store.get(at)?.get(property);
      if (values?.has(key)) return values.get(key);
    }
    return undefined;
  },
  metadata(key, value) {
    return (target, property) => api.defineMetadata(key, value, target, property);
  },
};

for (const [name, value] of Object.entries(api)) {
  if (Reflect.get(Reflect, name) === undefined) {
    Object.defineProperty(Reflect, name, { value, configurable: true, writable: true });
  }
}
