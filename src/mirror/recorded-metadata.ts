/**
 * Which metadata a wheel was found to have: in the catalog, and where that cannot be written (a full disk) in memory until
 * the next start. Recording never fails: what is right is served whether or not it can be written down.
 */
import { LRUCache } from 'lru-cache';
import type { Digest } from '../core/digest.ts';
import type { FactEmitter } from '../core/facts.ts';
import type { ProjectName } from '../core/project-name.ts';
import type { Catalog } from '../store/catalog.ts';
import { createMetadataMarks, type MetadataMark } from './metadata-marks.ts';

export interface RecordedMetadata {
  /** The metadata's blob, or `none` when the wheel is proven to hold none. */
  of(wheel: Digest): Promise<Digest | 'none' | undefined>;
  set(wheel: Digest, what: Digest | 'none'): Promise<void>;
  /** For the project's page, when it is next built; one that is lost costs a request. */
  mark(project: ProjectName, wheel: Digest, mark: MetadataMark): Promise<void>;
}

export interface RecordedMetadataDeps {
  readonly catalog: Pick<Catalog, 'wheelMetadata' | 'putWheelMetadata' | 'document' | 'putDocument'>;
  readonly facts: Pick<FactEmitter, 'emit'>;
}

const UNWRITTEN = 4096;

export function createRecordedMetadata({ catalog, facts }: RecordedMetadataDeps): RecordedMetadata {
  const marks = createMetadataMarks(catalog);
  /** Newer than what the catalog has. */
  const unwritten = new LRUCache<Digest, Digest | 'none'>({ max: UNWRITTEN });
  const note = (wheel: Digest, error: unknown): void =>
    facts.emit('network:noted', {
      message: `what was found of the metadata of ${wheel} could not be written: ${(error as Error).message}`,
    });
  return {
    of: async (wheel) => unwritten.get(wheel) ?? (await catalog.wheelMetadata(wheel)),
    async set(wheel, what) {
      try {
        await catalog.putWheelMetadata(wheel, what);
        unwritten.delete(wheel);
      } catch (error) {
        unwritten.set(wheel, what);
        note(wheel, error);
      }
    },
    async mark(project, wheel, mark) {
      try {
        await marks.set(project, wheel, mark);
      } catch (error) {
        note(wheel, error);
      }
    },
  };
}
