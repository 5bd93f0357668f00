/** A place, in degrees, north and east positive. */
export interface Place {
  readonly latitude: number;
  readonly longitude: number;
}

/** Where a place is on a drawing: x to the right, y down, in pixels. */
export interface Projection {
  readonly at: (place: Place) => { x: number; y: number };
  /** A round number of metres and how long it is. */
  readonly scale: { readonly metres: number; readonly pixels: number };
}

/** Mean length of a degree of latitude (WGS 84). */
const METRES_PER_DEGREE = 111_132;
/** A single place, or several that are almost one, show about this much around them. */
const LEAST_DEGREES = 0.01;

/**
 * Fits places into a drawing, north up. Degrees of longitude are shortened by the cosine of the latitude in the middle
 * (equirectangular projection), which is true enough for a region that one operator looks after.
 */
export function projectionOf(
  places: readonly Place[],
  { width, height, margin }: { width: number; height: number; margin: number },
): Projection | undefined {
  if (places.length === 0) return undefined;
  const [south, north] = bounds(places.map(({ latitude }) => latitude));
  const [west, east] = bounds(places.map(({ longitude }) => longitude));
  const middle = { latitude: (south + north) / 2, longitude: (west + east) / 2 };
  const shortened = Math.max(0.01, Math.cos((middle.latitude * Math.PI) / 180));
  const wide = Math.max((east - west) * shortened, LEAST_DEGREES);
  const tall = Math.max(north - south, LEAST_DEGREES);
  const perDegree = Math.min((width - 2 * margin) / wide, (height - 2 * margin) / tall);
  const most = (width / 4 / perDegree) * METRES_PER_DEGREE;
  const power = 10 ** Math.floor(Math.log10(most));
  const metres = ([5, 2, 1].find((factor) => factor * power <= most) ?? 1) * power;
  return {
    at: ({ latitude, longitude }) => ({
      x: width / 2 + (longitude - middle.longitude) * shortened * perDegree,
      y: height / 2 - (latitude - middle.latitude) * perDegree,
    }),
    scale: { metres, pixels: (metres / METRES_PER_DEGREE) * perDegree },
  };
}

/** Not by spreading: there may be ten thousands. */
function bounds(values: readonly number[]): [number, number] {
  return values.reduce<[number, number]>(
    ([low, high], value) => [Math.min(low, value), Math.max(high, value)],
    [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY],
  );
}
