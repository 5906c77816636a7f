package commandline

import (
	"flag"
	"fmt"
	"io"
	"runtime"
	"runtime/debug"
	"slices"
)

// version is set by the linker when images are built: without a checkout, the build information has no version.
var version string

// Version returns the version of the program: that of the linker, otherwise that of the module, which is (devel) if the toolchain does
// not know it.
func Version() string {
	if version != "" {
		return version
	}
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return info.Main.Version
	}
	return "unknown"
}

// PrintVersion prints the versions of the program and of Go.
func PrintVersion(out io.Writer) error {
	_, err := fmt.Fprintln(out, Version(), runtime.Version())
	return err
}

// ParseFlags parses the command line of a program without arguments. For version, it prints the version and returns flag.ErrHelp, as for
// --help.
func ParseFlags(flags *flag.FlagSet, about string, args []string, out io.Writer) error {
	if len(args) == 1 && slices.Contains([]string{"version", "--version", "-version"}, args[0]) {
		if err := PrintVersion(out); err != nil {
			return err
		}
		return flag.ErrHelp
	}
	_, err := Parse(flags, about, args, out, 0, 0)
	return err
}
