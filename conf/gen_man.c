/* SPDX-License-Identifier: Apache-2.0 */
/* Build tool: gen_man sluice.yaml|catalog.yaml prints that manual page. */
#include "conf/conf.h"

#include <stdio.h>

int main(int argc, char **argv)
{
	if (argc != 2 || conf_print_man(argv[1], stdout) != 0) {
		(void)fprintf(stderr, "usage: gen_man sluice.yaml|catalog.yaml\n");
		return 2;
	}
	return ferror(stdout) || fclose(stdout) ? 1 : 0;
}
