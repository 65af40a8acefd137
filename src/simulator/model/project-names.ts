/** Names of projects by popularity: those that PyPI's users download most (hugovk/top-pypi-packages, 2026), then made up ones. */
import { parseProjectName, type ProjectName } from '../../core/project-name.ts';

const popular = `
  boto3 packaging urllib3 certifi idna requests typing-extensions charset-normalizer setuptools
  botocore cryptography aiobotocore python-dateutil six pyyaml pydantic pygments cffi click numpy
  pluggy pycparser pydantic-core grpcio-status anyio s3transfer attrs protobuf h11 pytest
  annotated-types iniconfig fsspec httpx httpcore typing-inspection pandas pip s3fs markupsafe
  platformdirs python-dotenv pathspec pyjwt jinja2 rich jmespath markdown-it-py aiohttp filelock
  importlib-metadata yarl starlette multidict jsonschema zipp uvicorn propcache wheel mdurl pyasn1
  pytz google-auth googleapis-common-protos frozenlist litellm fastapi rpds-py tqdm annotated-doc
  aiosignal referencing jsonschema-specifications trove-classifiers tzdata google-api-core
  aiohappyeyeballs pillow virtualenv greenlet colorama pyasn1-modules typer grpcio opentelemetry-sdk
  tenacity wrapt requests-oauthlib opentelemetry-api pyarrow awscli websockets
  opentelemetry-semantic-conventions python-multipart scipy sniffio pydantic-settings sqlalchemy
  pyparsing shellingham`
  .trim()
  .split(/\s+/);

/** The most popular first. */
export function projectNames(count: number): ProjectName[] {
  return Array.from({ length: count }, (_, rank) => parseProjectName(popular[rank] ?? `project-${rank}`));
}
