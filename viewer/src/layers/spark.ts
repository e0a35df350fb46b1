/** The parts of Spark that the page uses. */

export { RgbaArray, SplatFileType, SplatMesh, dyno } from '@sparkjsdev/spark';
import { modifiers } from '@sparkjsdev/spark';

export const { makeDepthColorModifier, makeNormalColorModifier } = modifiers;
