/** The package: the same from dist/tools, where this is compiled to, and from dist/bin, where it is bundled. */
export const PACKAGE_ROOT: URL = new URL('../../', import.meta.url)
