/** The JSON Schema of scenario files, for editors: `docs/scenario.schema.json` is what this makes. */
import { scenarioShape } from './scenario-shape.ts';
import type { JsonSchema } from './shape.ts';

export function scenarioSchema(): JsonSchema {
  const lists = { type: 'array', minItems: 1 };
  const pointers = { '^/': lists };
  const { properties, ...rest } = scenarioShape.schema as { properties: object };
  return {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    title: 'A scenario of the Fondue simulator',
    ...rest,
    properties: {
      ...properties,
      sweep: {
        type: 'object',
        description: 'JSON Pointers to lists of values, the first turning slowest; zip: several in step',
        additionalProperties: false,
        minProperties: 1,
        patternProperties: pointers,
        properties: {
          zip: { type: 'object', additionalProperties: false, minProperties: 2, patternProperties: pointers },
        },
      },
    },
  };
}
