/** What is run from here on has namespaces of its own. */
export const isolated: boolean;
