package receiver

// ConnectionLimit is the metric, for tests outside the package.
var ConnectionLimit = connectionLimit
