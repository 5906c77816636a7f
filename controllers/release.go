package controllers

// LeaseName is the name of the Lease in the key namespace that the working controller holds, for those who ask whether one works.
const LeaseName = leaseName
