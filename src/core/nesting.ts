/** Depth of JSON values: what nests too deep is refused before anything recursive (`JSON.stringify`) meets it. */
import type { Json } from './project-page.ts';

/** Whether `value` holds more than `levels` containers inside one another. */
export function nestsDeeper(value: Json, levels: number): boolean {
  if (typeof value !== 'object' || value === null) return false;
  if (levels === 0) return true;
  for (const item of Array.isArray(value) ? value : Object.values(value)) {
    if (typeof item === 'object' && item !== null && nestsDeeper(item as Json, levels - 1)) return true;
  }
  return false;
}
