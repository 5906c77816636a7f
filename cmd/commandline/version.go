package commandline

import (
	"flag"
	"fmt"
	"io"
	"runtime"
	"runtime/debug"
	"slices"
)

// version is set by the linker where images are built: without the state of a checkout, the build information has none.
var version string

// Version returns the version that the program was built as. Without one of the linker it is that of the module, (devel) if the
// toolchain did not know it.
func Version() string {
	if version != "" {
		return version
	}
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return info.Main.Version
	}
	return "unknown"
}

// PrintVersion prints the version of the program, and of Go.
func PrintVersion(out io.Writer) error {
	_, err := fmt.Fprintln(out, Version(), runtime.Version())
	return err
}

// ParseFlags reads the command line of a program that takes flags alone. For version it prints that instead, and returns flag.ErrHelp, as
// for --help.
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
