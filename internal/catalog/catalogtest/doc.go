// Package catalogtest is the contract of catalog.Records and environment.Marker as
// tests, for every place where records can be kept. What only one of these places can
// do (damaged objects, lost connections) is tested there.
package catalogtest
