package provider

// explain for the tests, which are in a package of their own.
var Explain = explain
