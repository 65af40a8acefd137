// Imported before each test file: what all of them import (libp2p above all) is compiled once, not 300 times.
import { enableCompileCache } from 'node:module';

enableCompileCache();
