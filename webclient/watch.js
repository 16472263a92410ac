/**
 * The page that plays one stream, or several side by side.
 *
 * @module
 */

import { Stage } from './player/stage.js';

new Stage(new URLSearchParams(location.search)).start();
