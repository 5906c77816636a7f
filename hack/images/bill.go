package main

import (
	"debug/buildinfo"
	"errors"
	"os"
	"runtime/debug"

	cyclonedx "github.com/CycloneDX/cyclonedx-go"
)

// writeBill writes which modules a program was made of (CycloneDX 1.6), as the Go toolchain recorded it in the program itself.
func writeBill(program string, t target, version, path string) error {
	info, err := buildinfo.ReadFile(program)
	if err != nil {
		return err
	}
	bill := cyclonedx.NewBOM()
	bill.Metadata = &cyclonedx.Metadata{Component: &cyclonedx.Component{
		BOMRef: t.name, Type: cyclonedx.ComponentTypeContainer, Name: t.name, Version: version, Description: t.description,
	}}
	components := []cyclonedx.Component{component("std", info.GoVersion)}
	for _, m := range info.Deps {
		components = append(components, component(used(m).Path, used(m).Version))
	}
	bill.Components = &components
	out, err := os.Create(path)
	if err != nil {
		return err
	}
	err = cyclonedx.NewBOMEncoder(out, cyclonedx.BOMFileFormatJSON).SetPretty(true).EncodeVersion(bill, cyclonedx.SpecVersion1_6)
	return errors.Join(err, out.Close())
}

// used is the module that was compiled. One that a folder replaces keeps its name: it is of this repository.
func used(m *debug.Module) *debug.Module {
	if m.Replace != nil && m.Replace.Version != "" {
		return m.Replace
	}
	return m
}

// component names a module by its package URL (purl-spec, type golang).
func component(path, version string) cyclonedx.Component {
	purl := "pkg:golang/" + path + "@" + version
	return cyclonedx.Component{BOMRef: purl, Type: cyclonedx.ComponentTypeLibrary, Name: path, Version: version, PackageURL: purl}
}
