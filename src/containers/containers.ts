/**
 * Containers: the records, their names and their state machine. What a container *is* lives here; what is
 * done with it (joining images, layers, networks and the runtime) is in `engine/`.
 */
export {};
